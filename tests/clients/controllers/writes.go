// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/finalizer"
)

func configMap(name string, labels map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: labels}}
}

func deployment(name string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "img:1"}}}}}}
}

// writes is what the client offers to write by.
func writes(ctx context.Context, c client.Client) {
	// server-side apply of apply configurations
	config := corev1ac.ConfigMap("applied", namespace).WithData(map[string]string{"a": "1"})
	must(c.Apply(ctx, config, client.FieldOwner("one")), "apply")
	check(config.UID != nil && config.ResourceVersion != nil, "an applied configuration comes back as what is there")
	other := corev1ac.ConfigMap("applied", namespace).WithData(map[string]string{"a": "2", "b": "2"})
	err := c.Apply(ctx, other, client.FieldOwner("two"))
	check(apierrors.IsConflict(err) && strings.Contains(err.Error(), `conflict with "one"`), "another owner conflicts: %v", err)
	must(c.Apply(ctx, other, client.FieldOwner("two"), client.ForceOwnership), "forced apply")
	must(c.Apply(ctx, corev1ac.ConfigMap("applied", namespace), client.FieldOwner("two")), "apply of nothing")
	got := configMap("applied", nil)
	must(c.Get(ctx, client.ObjectKeyFromObject(got), got), "get")
	check(len(got.Data) == 0, "what an owner leaves out goes: %v", got.Data)
	web := appsv1ac.Deployment("applied", namespace).WithSpec(appsv1ac.DeploymentSpec().
		WithSelector(metav1ac.LabelSelector().WithMatchLabels(map[string]string{"a": "b"})).
		WithTemplate(corev1ac.PodTemplateSpec().WithLabels(map[string]string{"a": "b"}).
			WithSpec(corev1ac.PodSpec().WithContainers(corev1ac.Container().WithName("c").WithImage("i")))))
	must(c.Apply(ctx, web, client.FieldOwner("one")), "apply of a deployment")
	status := appsv1ac.Deployment("applied", namespace).WithStatus(appsv1ac.DeploymentStatus().WithReplicas(1))
	must(c.Status().Apply(ctx, status, client.FieldOwner("one")), "apply of a status")
	check(ptr.Deref(status.Status.Replicas, 0) == 1, "an applied status is there")

	// patches, with and without the version they were made for
	d := deployment("patched")
	must(c.Create(ctx, d, client.FieldOwner("maker")), "create")
	stale := d.DeepCopy()
	base := d.DeepCopy()
	d.Status.Replicas = 3
	d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue}}
	must(c.Status().Patch(ctx, d, client.MergeFrom(base)), "status patch")
	check(d.Status.Replicas == 3 && d.Generation == 1, "a status patch writes the status")
	base = stale.DeepCopy()
	stale.Status.Replicas = 4
	err = c.Status().Patch(ctx, stale.DeepCopy(), client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{}))
	check(apierrors.IsConflict(err), "a patch for an older version conflicts: %v", err)
	must(c.Status().Patch(ctx, stale, client.StrategicMergeFrom(base)), "strategic status patch")
	check(stale.Status.Replicas == 4 && len(stale.Status.Conditions) == 1, "one without a version does not, and leaves the rest")
	err = c.Update(ctx, base)
	check(apierrors.IsConflict(err), "an update of an older version conflicts: %v", err)
	dry := stale.DeepCopy()
	dry.Spec.Replicas = ptr.To[int32](7)
	must(c.Update(ctx, dry, client.DryRunAll), "dry run")
	must(c.Get(ctx, client.ObjectKeyFromObject(d), d), "get")
	check(*dry.Spec.Replicas == 7 && *d.Spec.Replicas == 1, "a dry run changes nothing")

	// many at once
	for _, name := range []string{"all-a", "all-b", "all-c"} {
		must(c.Create(ctx, configMap(name, map[string]string{"set": "all", "one": name})), "create")
	}
	must(c.DeleteAllOf(ctx, &corev1.ConfigMap{}, client.InNamespace(namespace),
		client.MatchingLabels{"set": "all"}, client.HasLabels{"one"}), "DeleteAllOf")
	left := &corev1.ConfigMapList{}
	must(c.List(ctx, left, client.InNamespace(namespace), client.MatchingLabels{"set": "all"}), "list")
	check(len(left.Items) == 0, "DeleteAllOf leaves none of its labels")
	must(c.Get(ctx, client.ObjectKeyFromObject(got), got), "get")

	// what is known by its metadata only
	partial := &metav1.PartialObjectMetadata{}
	partial.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
	must(c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "patched"}, partial), "get of metadata")
	before := partial.DeepCopy()
	partial.Annotations = map[string]string{"seen": "yes"}
	must(c.Patch(ctx, partial, client.MergeFrom(before)), "patch of metadata")
	check(partial.Annotations["seen"] == "yes" && partial.ResourceVersion != before.ResourceVersion, "metadata alone is read and patched")
}

// helpers are those of controllerutil and the finalizer package.
func helpers(ctx context.Context, c client.Client) {
	d := deployment("helped")
	set := func() error {
		d.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "helped"}}
		d.Spec.Template = deployment("helped").Spec.Template
		d.Spec.Replicas = ptr.To[int32](2)
		return nil
	}
	result, err := controllerutil.CreateOrUpdate(ctx, c, d, set)
	check(err == nil && result == controllerutil.OperationResultCreated, "CreateOrUpdate creates: %s %v", result, err)
	d.Spec.Replicas = nil
	result, err = controllerutil.CreateOrUpdate(ctx, c, d, func() error { d.Spec.Replicas = ptr.To[int32](2); return nil })
	check(err == nil && result == controllerutil.OperationResultNone, "CreateOrUpdate leaves what is right: %s %v", result, err)
	result, err = controllerutil.CreateOrUpdate(ctx, c, d, func() error { d.Spec.Paused = true; return nil })
	check(err == nil && result == controllerutil.OperationResultUpdated, "CreateOrUpdate updates: %s %v", result, err)
	patched := deployment("created-or-patched")
	template := patched.Spec
	patched.Spec = appsv1.DeploymentSpec{}
	result, err = controllerutil.CreateOrPatch(ctx, c, patched, func() error { patched.Spec = template; patched.Status.Replicas = 1; return nil })
	check(err == nil && result == controllerutil.OperationResultCreated, "CreateOrPatch creates: %s %v", result, err)
	result, err = controllerutil.CreateOrPatch(ctx, c, patched, func() error { patched.Spec.Paused = true; patched.Status.Replicas = 5; return nil })
	check(err == nil && result == controllerutil.OperationResultUpdatedStatus && patched.Status.Replicas == 5,
		"CreateOrPatch patches object and status: %s %v", result, err)

	// owners
	owner, owned := configMap("owner", nil), configMap("owned", nil)
	must(c.Create(ctx, owner), "create")
	must(controllerutil.SetControllerReference(owner, owned, c.Scheme()), "owner")
	must(c.Create(ctx, owned), "create")
	check(metav1.IsControlledBy(owned, owner), "the owner is recorded")
	second := configMap("second", nil)
	must(c.Create(ctx, second), "create")
	owned.OwnerReferences = append(owned.OwnerReferences, metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "second",
		UID: second.UID, Controller: ptr.To(true)})
	err = c.Update(ctx, owned)
	check(apierrors.IsInvalid(err), "two controllers are refused: %v", err)

	// finalizers
	keep := configMap("kept", nil)
	check(controllerutil.AddFinalizer(keep, "example.com/keep"), "a finalizer is new")
	must(c.Create(ctx, keep), "create")
	must(c.Delete(ctx, keep, client.Preconditions{UID: &keep.UID}), "delete")
	must(c.Get(ctx, client.ObjectKeyFromObject(keep), keep), "get")
	check(keep.DeletionTimestamp != nil, "an object with a finalizer waits")
	finalizers := finalizer.NewFinalizers()
	calls := 0
	must(finalizers.Register("example.com/keep", finalize(func() { calls++ })), "register")
	outcome, err := finalizers.Finalize(ctx, keep)
	must(err, "finalize")
	check(outcome.Updated && calls == 1, "the finalizer is called")
	must(c.Update(ctx, keep), "update")
	err = c.Get(ctx, client.ObjectKeyFromObject(keep), keep)
	check(apierrors.IsNotFound(err), "without finalizers it is gone: %v", err)
}

type finalize func()

func (f finalize) Finalize(context.Context, client.Object) (finalizer.Result, error) {
	f()
	return finalizer.Result{}, nil
}
