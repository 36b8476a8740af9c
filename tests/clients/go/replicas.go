// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// counting is one writer behind whose back servers end: it counts in an object of its own until told to stop, and each number that
// was acknowledged must be there for whoever is asked next.
type counting struct {
	set   *kubernetes.Clientset
	name  string
	last  int // acknowledged
	lost  string
	fails atomic.Int64 // answers that did not come, or said that a server cannot
}

func (w *counting) read(ctx context.Context) (*corev1.ConfigMap, error) {
	c, err := w.set.CoreV1().ConfigMaps(namespace).Get(ctx, w.name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	if n, _ := strconv.Atoi(c.Data["n"]); n < w.last {
		w.lost = fmt.Sprintf("%d was acknowledged, then %d was read", w.last, n)
	}
	return c, nil
}

func (w *counting) run(ctx context.Context, stop <-chan struct{}) {
	configs := w.set.CoreV1().ConfigMaps(namespace)
	for w.lost == "" {
		select {
		case <-stop:
			return
		default:
		}
		c, err := w.read(ctx)
		if apierrors.IsNotFound(err) && w.last == 0 {
			c, err = configs.Create(ctx, configMap(w.name), metav1.CreateOptions{})
			if apierrors.IsAlreadyExists(err) {
				continue
			}
		}
		if err == nil {
			n, _ := strconv.Atoi(c.Data["n"])
			c.Data["n"] = strconv.Itoa(n + 1)
			c.Annotations["round"] = c.Data["n"]
			_, err = configs.Update(ctx, c, metav1.UpdateOptions{})
			if err == nil {
				w.last = n + 1
			}
		}
		if err != nil && !apierrors.IsConflict(err) { // a conflict is one's own write whose answer was lost
			w.fails.Add(1)
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// outliveReplicas writes and follows through whatever stands at the address, until its input ends.
func outliveReplicas(ctx context.Context, config *rest.Config) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	json, protobuf := client(config, "application/json"), client(config, "application/vnd.kubernetes.protobuf")
	followers := []*follower{follow(ctx, "JSON", json), follow(ctx, "protobuf", protobuf)}
	stop := make(chan struct{})
	writers := make([]*counting, nWriters)
	var wg sync.WaitGroup
	for i := range writers {
		writers[i] = &counting{set: []*kubernetes.Clientset{json, protobuf}[i%2], name: fmt.Sprintf("counting-%d", i)}
		wg.Go(func() { writers[i].run(ctx, stop) })
	}
	io.Copy(io.Discard, os.Stdin)
	close(stop)
	wg.Wait()
	for _, w := range writers {
		check(w.lost == "" && w.last > 20, "%s: %d writes, none lost, with %d failed requests %s", w.name, w.last, w.fails.Load(), w.lost)
	}
	configs := versions{}
	wrong := eventually(20*time.Second, func() string {
		list, err := json.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err.Error()
		}
		configs = versions{}
		for i := range list.Items {
			configs.add(&list.Items[i])
		}
		return ""
	})
	check(wrong == "", "a list at the end %s", wrong)
	for _, f := range followers {
		wrong := eventually(30*time.Second, func() string { return stored(f.configs).differs(configs) })
		check(wrong == "", "the informer (%s) equals a fresh list %s", f.name, wrong)
		check(f.stale.Load() == 0, "of %d updates (%s) none went back", f.moved.Load(), f.name)
	}
}
