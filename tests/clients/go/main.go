// SPDX-License-Identifier: Apache-2.0

// Informers of client-go against a running server: do they stay in step with it while objects come, change and go, in JSON and in
// protobuf, is a watcher that does not read cut off without slowing them, and do reflectors end where a list does however often their
// connections are cut; and does a pod come in by its token? With the argument `replicas`: several servers behind one address, which
// somebody ends and starts until our input ends (replicas.go). Prints one line per check and the counts at the end.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const namespace = "default"

var passed, failed int

func check(ok bool, format string, args ...any) {
	word := "ok    "
	if ok {
		passed++
	} else {
		failed++
		word = "FAILED"
	}
	fmt.Printf("%s %s\n", word, fmt.Sprintf(format, args...))
}

// fatal is for what no check can do without.
func fatal(err error, what string) {
	if err == nil {
		return
	}
	fmt.Printf("FAILED %s: %v\n%d passed, %d failed\n", what, err, passed, failed+1)
	os.Exit(1)
}

func client(config *rest.Config, contentType string) *kubernetes.Clientset {
	c := rest.CopyConfig(config)
	c.ContentType = contentType
	c.AcceptContentTypes = contentType
	c.QPS, c.Burst = -1, -1 // the server is to set the pace
	set, err := kubernetes.NewForConfig(c)
	fatal(err, "client")
	return set
}

// eventually asks until the answer is empty; what is still wrong at the end is the result.
func eventually(limit time.Duration, ask func() string) string {
	end := time.Now().Add(limit)
	for {
		wrong := ask()
		if wrong == "" || time.Now().After(end) {
			return wrong
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func main() {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	fatal(err, "KUBECONFIG")
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Second)
	defer cancel()

	if len(os.Args) == 2 && os.Args[1] == "replicas" {
		outliveReplicas(ctx, config)
	} else {
		applyTyped(client(config, ""))
		podsComeInByToken(ctx, config)
		informersStayInStep(ctx, config)
		slowWatcherIsCutOff(ctx, config)
		reflectorsOutliveCuts(ctx, config)
	}

	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
