// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metrics "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

func options() manager.Options {
	return manager.Options{
		Metrics:    metrics.Options{BindAddress: "0"},
		Cache:      cache.Options{DefaultNamespaces: map[string]cache.Config{namespace: {}}},
		Controller: config.Controller{SkipNameValidation: ptr.To(true), MaxConcurrentReconciles: 4},
	}
}

// run gives back what stops the manager and waits for it.
func run(ctx context.Context, m manager.Manager) func() {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- m.Start(ctx) }()
	return func() {
		cancel()
		must(<-ended, "manager")
	}
}

// caches: reads of a manager's client come out of a cache, by an index too.
func caches(ctx context.Context, config *rest.Config, c client.Client) {
	m, err := ctrl.NewManager(config, options())
	must(err, "manager")
	must(m.GetFieldIndexer().IndexField(ctx, &corev1.ConfigMap{}, "data.color", func(o client.Object) []string {
		return []string{o.(*corev1.ConfigMap).Data["color"]}
	}), "index")
	stop := run(ctx, m)
	check(m.GetCache().WaitForCacheSync(ctx), "the cache is in step")
	for i := range 6 {
		cm := configMap(fmt.Sprintf("color-%d", i), nil)
		cm.Data = map[string]string{"color": []string{"red", "green", "blue"}[i%3]}
		must(c.Create(ctx, cm), "create")
	}
	wrong := eventually(20*time.Second, func() string {
		list := &corev1.ConfigMapList{}
		must(m.GetClient().List(ctx, list, client.InNamespace(namespace), client.MatchingFields{"data.color": "red"}), "list")
		if len(list.Items) != 2 {
			return fmt.Sprintf("%d are red", len(list.Items))
		}
		return ""
	})
	check(wrong == "", "an index of the cache finds what was created: %s", wrong)
	stop()
}

// elections: one of two managers leads; when it goes the other does.
func elections(ctx context.Context, config *rest.Config) {
	var managers [2]manager.Manager
	var stops [2]func()
	for i := range managers {
		o := options()
		o.LeaderElection, o.LeaderElectionID, o.LeaderElectionNamespace = true, "election", namespace
		o.LeaderElectionReleaseOnCancel = true
		o.LeaseDuration, o.RenewDeadline, o.RetryPeriod = ptr.To(4*time.Second), ptr.To(3*time.Second), ptr.To(200*time.Millisecond)
		m, err := ctrl.NewManager(config, o)
		must(err, "manager")
		managers[i], stops[i] = m, run(ctx, m)
		if i == 0 {
			<-m.Elected()
		}
	}
	time.Sleep(time.Second)
	select {
	case <-managers[1].Elected():
		check(false, "one leads")
	default:
		check(true, "one leads")
	}
	stops[0]()
	select {
	case <-managers[1].Elected():
		check(true, "the other leads when the first has gone")
	case <-time.After(20 * time.Second):
		check(false, "the other leads when the first has gone")
	}
	stops[1]()
}

const (
	nObjects = 40
	nRounds  = 25
)

// counter is a reconciler: it brings its own annotation of each object to what the object's data says, one step at a time, and
// keeps an owned copy with the last step.
type counter struct {
	client.Client
	name  string
	steps atomic.Int64
}

func (r *counter) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	cm := &corev1.ConfigMap{}
	if err := r.Get(ctx, request.NamespacedName, cm); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if cm.Labels["work"] == "" {
		return ctrl.Result{}, nil
	}
	want, _ := strconv.Atoi(cm.Data["n"])
	have, _ := strconv.Atoi(cm.Annotations[r.name])
	if have < want {
		base := cm.DeepCopy()
		if cm.Annotations == nil {
			cm.Annotations = map[string]string{}
		}
		cm.Annotations[r.name] = strconv.Itoa(have + 1)
		if err := r.Patch(ctx, cm, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})); err != nil {
			if apierrors.IsConflict(err) {
				return ctrl.Result{RequeueAfter: time.Millisecond}, nil
			}
			return ctrl.Result{}, err
		}
		r.steps.Add(1)
	}
	copied := configMap(r.name+"-"+cm.Name, nil)
	_, err := controllerutil.CreateOrUpdate(ctx, r.Client, copied, func() error {
		copied.Data = map[string]string{"n": cm.Annotations[r.name]}
		return controllerutil.SetControllerReference(cm, copied, r.Scheme())
	})
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) { // what the cache has is old
		return ctrl.Result{RequeueAfter: time.Millisecond}, nil
	}
	return ctrl.Result{}, err
}

// counters: two managers reconcile the same objects while others write these.
func counters(ctx context.Context, config *rest.Config, c client.Client) {
	var reconcilers [2]*counter
	var stops [2]func()
	for i := range reconcilers {
		m, err := ctrl.NewManager(config, options())
		must(err, "manager")
		reconcilers[i] = &counter{Client: m.GetClient(), name: fmt.Sprintf("manager-%d", i)}
		must(ctrl.NewControllerManagedBy(m).For(&corev1.ConfigMap{}).Owns(&corev1.ConfigMap{}).
			Named(reconcilers[i].name).Complete(reconcilers[i]), "controller")
		stops[i] = run(ctx, m)
	}
	var writers sync.WaitGroup
	for i := range nObjects {
		writers.Go(func() {
			cm := configMap(fmt.Sprintf("work-%d", i), map[string]string{"work": "yes"})
			must(c.Create(ctx, cm), "create")
			for n := range nRounds {
				must(retry.RetryOnConflict(retry.DefaultBackoff, func() error {
					if err := c.Get(ctx, client.ObjectKeyFromObject(cm), cm); err != nil {
						return err
					}
					cm.Data = map[string]string{"n": strconv.Itoa(n + 1)}
					return c.Update(ctx, cm)
				}), "update")
			}
		})
	}
	writers.Wait()
	for _, r := range reconcilers {
		wrong := eventually(60*time.Second, func() string {
			list := &corev1.ConfigMapList{}
			must(c.List(ctx, list, client.InNamespace(namespace)), "list")
			n, copies := 0, 0
			for _, cm := range list.Items {
				if cm.Annotations[r.name] == strconv.Itoa(nRounds) {
					n++
				}
				if len(cm.Name) > len(r.name) && cm.Name[:len(r.name)] == r.name && cm.Data["n"] == strconv.Itoa(nRounds) {
					copies++
				}
			}
			if n != nObjects || copies != nObjects {
				return fmt.Sprintf("%d objects and %d copies are done", n, copies)
			}
			return ""
		})
		check(wrong == "", "%s has done everything: %s", r.name, wrong)
		check(r.steps.Load() == nObjects*nRounds, "%s has counted each step once: %d", r.name, r.steps.Load())
	}
	for _, stop := range stops {
		stop()
	}
}
