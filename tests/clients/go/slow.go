// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

const (
	bigBytes  = 200 << 10
	bigWrites = 250 // 50 MB: far more than sockets and any queue hold
)

// deafWatch asks for a watch of the config maps over a connection of its own and reads nothing but the first line.
func deafWatch(config *rest.Config, version string) (net.Conn, error) {
	tlsConfig, err := rest.TLSConfigFor(config)
	if err != nil {
		return nil, err
	}
	host, err := url.Parse(config.Host)
	if err != nil {
		return nil, err
	}
	raw, err := net.Dial("tcp", host.Host)
	if err != nil {
		return nil, err
	}
	raw.(*net.TCPConn).SetReadBuffer(256 << 10)
	tlsConfig.ServerName = host.Hostname()
	tlsConfig.NextProtos = []string{"http/1.1"}
	conn := tls.Client(raw, tlsConfig)
	_, err = fmt.Fprintf(conn, "GET /api/v1/namespaces/%s/configmaps?watch=1&resourceVersion=%s HTTP/1.1\r\nHost: %s\r\n\r\n", namespace, version, host.Host)
	if err != nil {
		return nil, err
	}
	first := make([]byte, 12)
	if _, err = io.ReadFull(conn, first); err == nil && string(first) != "HTTP/1.1 200" {
		err = fmt.Errorf("answer %q", first)
	}
	return conn, err
}

// writeBig updates one config map n times while a watcher that reads follows; it returns the longest time from the start of a write
// until that watcher had its event.
func writeBig(ctx context.Context, set *kubernetes.Clientset, name string, n int) (longest time.Duration, err error) {
	configs := set.CoreV1().ConfigMaps(namespace)
	object := configMap(name)
	object.Data = map[string]string{"big": strings.Repeat("x", bigBytes)}
	if object, err = configs.Create(ctx, object, metav1.CreateOptions{}); err != nil {
		return
	}
	reader, err := configs.Watch(ctx, metav1.ListOptions{ResourceVersion: object.ResourceVersion, FieldSelector: "metadata.name=" + name})
	if err != nil {
		return
	}
	defer reader.Stop()
	for i := range n {
		start := time.Now()
		object.Annotations["round"] = fmt.Sprint(i + 1)
		if object, err = configs.Update(ctx, object, metav1.UpdateOptions{}); err != nil {
			return
		}
		select {
		case event, open := <-reader.ResultChan():
			if !open {
				return 0, fmt.Errorf("the watcher that reads was cut off after %d events", i)
			}
			got, is := event.Object.(*corev1.ConfigMap)
			if !is || got.ResourceVersion != object.ResourceVersion {
				return 0, fmt.Errorf("event %d is not of the write before: %s %v", i, event.Type, event.Object)
			}
		case <-time.After(10 * time.Second):
			return 0, fmt.Errorf("event %d has not come in ten seconds", i)
		}
		longest = max(longest, time.Since(start))
	}
	return
}

func slowWatcherIsCutOff(ctx context.Context, config *rest.Config) {
	set := client(config, "application/json")
	alone, err := writeBig(ctx, set, "big-alone", bigWrites/5)
	fatal(err, "writes without a slow watcher")
	list, err := set.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{Limit: 1})
	fatal(err, "list")
	deaf, err := deafWatch(config, list.ResourceVersion)
	fatal(err, "slow watcher")
	defer deaf.Close()
	beside, err := writeBig(ctx, set, "big-beside", bigWrites)
	check(err == nil, "a watcher that reads gets every event beside one that does not: %v", err)
	check(beside < max(20*alone, 2*time.Second), "and soon: at most %v, %v without", beside.Round(time.Millisecond), alone.Round(time.Millisecond))

	deaf.SetReadDeadline(time.Now().Add(15 * time.Second))
	n, err := io.Copy(io.Discard, deaf)
	timeout, isNet := err.(net.Error)
	check(!(isNet && timeout.Timeout()), "the one that does not read was cut off (%v)", err)
	check(n < bigBytes*bigWrites, "after %d of %d MB", n>>20, bigBytes*bigWrites>>20)
}
