// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"path/filepath"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// podsComeInByToken is what a pod does: a token in a file, bound to it, and the authority's certificate.
func podsComeInByToken(ctx context.Context, config *rest.Config) {
	admin := client(config, "application/json")
	folder, err := os.MkdirTemp("", "serviceaccount")
	fatal(err, "folder")
	defer os.RemoveAll(folder)
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "in-cluster"}}
	_, err = admin.CoreV1().ServiceAccounts(namespace).Create(ctx, account, metav1.CreateOptions{})
	fatal(err, "service account")
	order := &authenticationv1.TokenRequest{}
	token, err := admin.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, "in-cluster", order, metav1.CreateOptions{})
	fatal(err, "token")
	fatal(rest.LoadTLSFiles(config), "authority")
	tokenFile, caFile := filepath.Join(folder, "token"), filepath.Join(folder, "ca.crt")
	fatal(os.WriteFile(tokenFile, []byte(token.Status.Token), 0o600), "token file")
	fatal(os.WriteFile(caFile, config.CAData, 0o600), "authority's file")

	pod := &rest.Config{Host: config.Host, BearerTokenFile: tokenFile, TLSClientConfig: rest.TLSClientConfig{CAFile: caFile}}
	set, err := kubernetes.NewForConfig(pod)
	fatal(err, "client of a pod")
	review, err := set.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	fatal(err, "review")
	check(review.Status.UserInfo.Username == "system:serviceaccount:default:in-cluster", "a pod is its service account: %s",
		review.Status.UserInfo.Username)
	_, err = set.Discovery().ServerVersion()
	check(err == nil, "a pod sees the version: %v", err)
	_, err = set.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{})
	check(apierrors.IsForbidden(err), "a pod may not list secrets: %v", err)
	pod.BearerToken, pod.BearerTokenFile = token.Status.Token[:len(token.Status.Token)-8]+"AAAAAAAA", ""
	set, err = kubernetes.NewForConfig(pod)
	fatal(err, "client with a bad token")
	_, err = set.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{})
	check(apierrors.IsUnauthorized(err), "a token that was changed is refused: %v", err)
}
