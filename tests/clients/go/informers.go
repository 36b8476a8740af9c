// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math/rand"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

const (
	nBefore  = 150 // objects that are there when the informers start
	nWriters = 6
	nRounds  = 60 // of each writer: one object created, changed twice, every other one deleted
)

// follower is one client's informers and what their handlers were told.
type follower struct {
	name               string
	pods, configs      cache.SharedIndexInformer
	stale              atomic.Int64 // updates that went back in time
	added, gone, moved atomic.Int64
}

func follow(ctx context.Context, name string, set *kubernetes.Clientset) *follower {
	f := &follower{name: name}
	factory := informers.NewSharedInformerFactoryWithOptions(set, 0, informers.WithNamespace(namespace))
	f.pods = factory.Core().V1().Pods().Informer()
	f.configs = factory.Core().V1().ConfigMaps().Informer()
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { f.added.Add(1) },
		DeleteFunc: func(any) { f.gone.Add(1) },
		UpdateFunc: func(before, after any) {
			f.moved.Add(1)
			if generation(before) > generation(after) {
				f.stale.Add(1)
			}
		},
	}
	for _, informer := range []cache.SharedIndexInformer{f.pods, f.configs} {
		_, err := informer.AddEventHandler(handler)
		fatal(err, "event handler")
	}
	factory.Start(ctx.Done())
	return f
}

// generation reads the counter that the writers keep in each object.
func generation(obj any) int {
	var n int
	if m, ok := obj.(metav1.Object); ok {
		fmt.Sscanf(m.GetAnnotations()["round"], "%d", &n)
	}
	return n
}

func meta(name string, round int) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "churn"}, Annotations: map[string]string{"round": fmt.Sprint(round)}}
}

func pod(name string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: meta(name, 0), Spec: corev1.PodSpec{
		Containers: []corev1.Container{{Name: "main", Image: "registry.example.com/shop/web:1.4.2", Env: []corev1.EnvVar{{Name: "A", Value: "1"}}}},
	}}
}

func configMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: meta(name, 0), Data: map[string]string{"key": "value \"quoted\" \u00e9\u4e16"}, BinaryData: map[string][]byte{"raw": {0, 1, 254, 255}}}
}

// churn is one writer: each round makes a pod and a config map, changes them, and deletes every other round's.
func churn(ctx context.Context, set *kubernetes.Clientset, writer int, ret *error) {
	pods, configs := set.CoreV1().Pods(namespace), set.CoreV1().ConfigMaps(namespace)
	for i := range nRounds {
		name := fmt.Sprintf("churn-%d-%d", writer, i)
		p, err := pods.Create(ctx, pod(name), metav1.CreateOptions{})
		if err == nil {
			p.Annotations["round"] = "1"
			_, err = pods.Update(ctx, p, metav1.UpdateOptions{})
		}
		var c *corev1.ConfigMap
		if err == nil {
			c, err = configs.Create(ctx, configMap(name), metav1.CreateOptions{})
		}
		for round := 1; err == nil && round <= 2; round++ {
			c.Annotations["round"] = fmt.Sprint(round)
			c.Data["key"] = fmt.Sprint(rand.Int())
			c, err = configs.Update(ctx, c, metav1.UpdateOptions{})
		}
		if err == nil && i%2 == 0 {
			err = pods.Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
		}
		if err == nil && i%2 == 1 {
			err = configs.Delete(ctx, name, metav1.DeleteOptions{})
		}
		if err != nil {
			*ret = fmt.Errorf("%s: %w", name, err)
			return
		}
	}
}

// versions is what a list or a store holds: each object's UID and resource version.
type versions map[string]string

func (v versions) add(m metav1.Object) {
	v[m.GetName()+" "+string(m.GetUID())] = m.GetResourceVersion()
}

func stored(informer cache.SharedIndexInformer) versions {
	v := versions{}
	for _, obj := range informer.GetStore().List() {
		v.add(obj.(metav1.Object))
	}
	return v
}

func (v versions) differs(from versions) string {
	for k, rv := range from {
		if v[k] != rv {
			return fmt.Sprintf("%s is at %q, the list says %q", k, v[k], rv)
		}
	}
	if len(v) != len(from) {
		return fmt.Sprintf("%d objects, the list has %d", len(v), len(from))
	}
	return ""
}

func informersStayInStep(ctx context.Context, config *rest.Config) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	json, protobuf := client(config, "application/json"), client(config, "application/vnd.kubernetes.protobuf")
	// Pods run as this account, which a cluster's controller makes.
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	_, err := json.CoreV1().ServiceAccounts(namespace).Create(ctx, account, metav1.CreateOptions{})
	fatal(err, "service account")
	for i := range nBefore {
		_, err := json.CoreV1().ConfigMaps(namespace).Create(ctx, configMap(fmt.Sprintf("before-%d", i)), metav1.CreateOptions{})
		fatal(err, "objects before the informers")
	}
	followers := []*follower{follow(ctx, "JSON", json), follow(ctx, "protobuf", protobuf)}
	var wg sync.WaitGroup
	errs := make([]error, nWriters)
	for w := range nWriters {
		set := []*kubernetes.Clientset{json, protobuf}[w%2]
		wg.Go(func() { churn(ctx, set, w, &errs[w]) })
	}
	// One that starts amid the churn has to join its first list and the watch after it.
	time.Sleep(300 * time.Millisecond)
	followers = append(followers, follow(ctx, "JSON, started amid the churn", json), follow(ctx, "protobuf, started amid the churn", protobuf))
	wg.Wait()
	for w, err := range errs {
		check(err == nil, "writer %d wrote without an error: %v", w, err)
	}

	pods, configs := versions{}, versions{}
	podList, err := json.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	fatal(err, "list of pods")
	for i := range podList.Items {
		pods.add(&podList.Items[i])
	}
	configList, err := protobuf.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{})
	fatal(err, "list of config maps")
	for i := range configList.Items {
		configs.add(&configList.Items[i])
	}
	check(len(pods) == nWriters*nRounds/2, "%d pods are left, as the writers meant", len(pods))
	for _, f := range followers {
		wrong := eventually(10*time.Second, func() string { return stored(f.pods).differs(pods) })
		check(wrong == "", "pods of the informer (%s) equal a fresh list %s", f.name, wrong)
		wrong = eventually(10*time.Second, func() string { return stored(f.configs).differs(configs) })
		check(wrong == "", "config maps of the informer (%s) equal a fresh list %s", f.name, wrong)
		wrong = eventually(5*time.Second, func() string {
			if left := f.added.Load() - f.gone.Load(); left != int64(len(pods)+len(configs)) {
				return fmt.Sprintf("%d", left)
			}
			return ""
		})
		check(wrong == "", "handlers (%s) were told of each object that came and went %s", f.name, wrong)
		check(f.stale.Load() == 0, "of %d updates (%s) none went back", f.moved.Load(), f.name)
	}
}
