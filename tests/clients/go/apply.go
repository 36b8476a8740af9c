// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	appsv1 "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1 "k8s.io/client-go/applyconfigurations/core/v1"
	applymeta "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/kubernetes"
)

func deployment(image string) *appsv1.DeploymentApplyConfiguration {
	labels := map[string]string{"app": "applied"}
	return appsv1.Deployment("applied", "default").WithSpec(appsv1.DeploymentSpec().
		WithSelector(applymeta.LabelSelector().WithMatchLabels(labels)).
		WithTemplate(corev1.PodTemplateSpec().WithLabels(labels).WithSpec(corev1.PodSpec().
			WithContainers(corev1.Container().WithName("c").WithImage(image)))))
}

// applyTyped applies by client-go's typed configurations: what is extracted of the answer is what was applied.
func applyTyped(c *kubernetes.Clientset) {
	ctx := context.Background()
	api := c.AppsV1().Deployments("default")
	mine, force := metav1.ApplyOptions{FieldManager: "one"}, metav1.ApplyOptions{FieldManager: "two", Force: true}

	_, err := api.Apply(ctx, deployment("i:1"), mine)
	check(err == nil, "typed apply: %v", err)
	_, err = api.Apply(ctx, deployment("i:2"), metav1.ApplyOptions{FieldManager: "two"})
	check(apierrors.IsConflict(err) && strings.Contains(err.Error(), `conflict with "one"`), "a conflict: %v", err)
	d, err := api.Apply(ctx, deployment("i:2").WithSpec(deployment("i:2").Spec.WithReplicas(3)), force)
	check(err == nil && *d.Spec.Replicas == 3, "a forced apply: %v", err)
	extracted, err := appsv1.ExtractDeployment(d, "two")
	check(err == nil && *extracted.Spec.Replicas == 3 && *extracted.Spec.Template.Spec.Containers[0].Image == "i:2",
		"what was applied is extracted: %v", err)
	d, err = api.Apply(ctx, deployment("i:2"), force)
	check(err == nil && *d.Spec.Replicas == 1, "a field that is left out goes back to its default: %v", err)
	d, err = api.ApplyStatus(ctx, appsv1.Deployment("applied", "default").
		WithStatus(appsv1.DeploymentStatus().WithReplicas(1).WithObservedGeneration(1)), mine)
	check(err == nil && d.Status.Replicas == 1, "status by apply: %v", err)
	extracted, err = appsv1.ExtractDeploymentStatus(d, "one")
	check(err == nil && extracted.Status != nil && *extracted.Status.Replicas == 1, "status extracted: %v", err)
	check(api.Delete(ctx, "applied", metav1.DeleteOptions{}) == nil, "delete")
}
