// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

const (
	cutRounds  = 12
	cutWriters = 3
	cutWrites  = 80 // of each writer in a round
	cutKeys    = 25 // of each writer
)

// cutter is a TCP proxy that cuts each connection after a random number of bytes or a random time, whichever comes first.
type cutter struct {
	listener net.Listener
	target   string
	cuts     atomic.Int64
}

func newCutter(target string) (*cutter, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &cutter{listener: listener, target: target}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go c.forward(client.(*net.TCPConn))
		}
	}()
	return c, nil
}

func (c *cutter) forward(client *net.TCPConn) {
	defer client.Close()
	raw, err := net.Dial("tcp", c.target)
	if err != nil {
		return
	}
	server := raw.(*net.TCPConn)
	defer server.Close()
	if rand.Intn(2) == 0 { // not only clean ends
		client.SetLinger(0)
		server.SetLinger(0)
	}
	end := time.Now().Add(time.Duration(20+rand.Intn(250)) * time.Millisecond)
	client.SetDeadline(end)
	server.SetDeadline(end)
	done := make(chan struct{}, 2)
	go func() { io.CopyN(server, client, int64(3000+rand.Intn(30000))); done <- struct{}{} }()
	go func() { io.CopyN(client, server, int64(3000+rand.Intn(120000))); done <- struct{}{} }()
	<-done
	c.cuts.Add(1)
}

// strictStore is what a reflector fills; it notes what no watch may do.
type strictStore struct {
	cache.Store
	mu                              sync.Mutex
	last                            uint64 // the newest version that was told
	lists, events                   int
	back, twice, unknown, listsBack int
}

func version(obj any) uint64 {
	v, _ := strconv.ParseUint(obj.(metav1.Object).GetResourceVersion(), 10, 64)
	return v
}

func (s *strictStore) note(obj any, wantsKnown bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events++
	if version(obj) <= s.last {
		s.back++
	}
	s.last = version(obj)
	if _, isKnown, _ := s.Store.Get(obj); isKnown && !wantsKnown {
		s.twice++
	} else if !isKnown && wantsKnown {
		s.unknown++
	}
}

func (s *strictStore) Add(obj any) error    { s.note(obj, false); return s.Store.Add(obj) }
func (s *strictStore) Update(obj any) error { s.note(obj, true); return s.Store.Update(obj) }
func (s *strictStore) Delete(obj any) error { s.note(obj, true); return s.Store.Delete(obj) }
func (s *strictStore) Replace(list []any, rv string) error {
	at, _ := strconv.ParseUint(rv, 10, 64)
	s.mu.Lock()
	s.lists++
	if at < s.last {
		s.listsBack++
	}
	s.last = at
	s.mu.Unlock()
	return s.Store.Replace(list, rv)
}

func (s *strictStore) versions() versions {
	v := versions{}
	for _, obj := range s.List() {
		v.add(obj.(metav1.Object))
	}
	return v
}

func reflect(ctx context.Context, set *kubernetes.Clientset, name, selector string, pageSize int64) *strictStore {
	store := &strictStore{Store: cache.NewStore(cache.MetaNamespaceKeyFunc)}
	lw := cache.NewFilteredListWatchFromClient(set.CoreV1().RESTClient(), "configmaps", namespace,
		func(o *metav1.ListOptions) { o.LabelSelector = selector })
	r := cache.NewReflectorWithOptions(lw, &corev1.ConfigMap{}, store, cache.ReflectorOptions{
		Name: name, Backoff: &wait.Backoff{Duration: 5 * time.Millisecond, Factor: 1, Steps: 1000}})
	r.WatchListPageSize = pageSize
	go r.RunWithContext(ctx)
	return store
}

// write makes, changes, moves between the sides and deletes objects, at random.
func write(ctx context.Context, set *kubernetes.Clientset, writer int) error {
	configs := set.CoreV1().ConfigMaps(namespace)
	for range cutWrites {
		name := fmt.Sprintf("cut-%d-%d", writer, rand.Intn(cutKeys))
		o, err := configs.Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			o = configMap(name)
			o.Labels = map[string]string{"app": "cut", "side": "in"}
			_, err = configs.Create(ctx, o, metav1.CreateOptions{})
		case err == nil && rand.Intn(4) == 0:
			err = configs.Delete(ctx, name, metav1.DeleteOptions{})
		case err == nil:
			o.Labels["side"] = []string{"in", "out"}[rand.Intn(2)]
			o.Data["key"] = fmt.Sprint(rand.Int())
			_, err = configs.Update(ctx, o, metav1.UpdateOptions{})
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// reflectorsOutliveCuts has reflectors of all kinds follow through a proxy that cuts their connections, while objects change, and
// compares them with fresh lists again and again.
func reflectorsOutliveCuts(ctx context.Context, config *rest.Config) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	host, err := url.Parse(config.Host)
	fatal(err, "host")
	proxy, err := newCutter(host.Host)
	fatal(err, "proxy")
	defer proxy.listener.Close()
	cut := rest.CopyConfig(config)
	cut.Host = "https://" + proxy.listener.Addr().String()
	direct := client(config, "application/json")
	json, protobuf := client(cut, "application/json"), client(cut, "application/vnd.kubernetes.protobuf")

	selectors := []string{"app=cut", "app=cut,side=in"}
	stores := map[string][]*strictStore{}
	for i, selector := range selectors {
		for k, set := range []*kubernetes.Clientset{json, protobuf} {
			name := fmt.Sprintf("%s as %s", selector, []string{"JSON", "protobuf"}[k])
			stores[selector] = append(stores[selector], reflect(ctx, set, name, selector, int64(10*((i+k)%2))))
		}
	}
	for round := range cutRounds {
		var wg sync.WaitGroup
		errs := make([]error, cutWriters)
		for w := range cutWriters {
			wg.Go(func() { errs[w] = write(ctx, direct, w) })
		}
		wg.Wait()
		for _, err := range errs {
			fatal(err, "writer")
		}
		differs := ""
		for _, selector := range selectors {
			list, err := direct.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
			fatal(err, "list")
			wanted := versions{}
			for i := range list.Items {
				wanted.add(&list.Items[i])
			}
			for i, store := range stores[selector] {
				if wrong := eventually(15*time.Second, func() string { return store.versions().differs(wanted) }); wrong != "" {
					differs += fmt.Sprintf(" %s %d: %s", selector, i, wrong)
				}
			}
		}
		check(differs == "", "round %d: reflectors behind %d cuts equal fresh lists%s", round, proxy.cuts.Load(), differs)
	}
	for selector, of := range stores {
		for i, s := range of {
			s.mu.Lock()
			check(s.back+s.twice+s.unknown+s.listsBack == 0,
				"%s %d: %d events, %d lists: %d went back, %d came twice, %d of what was not there, %d lists were older", selector, i,
				s.events, s.lists, s.back, s.twice, s.unknown, s.listsBack)
			s.mu.Unlock()
		}
	}
	check(proxy.cuts.Load() > 50, "%d connections were cut", proxy.cuts.Load())
}
