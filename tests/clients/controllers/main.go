// SPDX-License-Identifier: Apache-2.0

// Controllers of controller-runtime against servers of their own (`controllers PROGRAM`): its client, its helpers, caches with an index,
// leader election, and two managers that reconcile the same objects under load and lose nothing. Prints one line per check and
// the counts at the end.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
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

// must is for what the rest of a test cannot do without.
func must(err error, what string) {
	if err != nil {
		fmt.Printf("FAILED %s: %v\n%s\n%d passed, %d failed\n", what, err, debug.Stack(), passed, failed+1)
		os.Exit(1)
	}
}

// eventually asks until the answer is empty; what is still wrong at the end is the result.
func eventually(limit time.Duration, ask func() string) string {
	for end := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		wrong := ask()
		if wrong == "" || time.Now().After(end) {
			return wrong
		}
	}
}

// server is what an envtest would be: a process with a folder of its own, ready within a tenth of a second.
type server struct {
	folder  string
	process *exec.Cmd
	config  *rest.Config
}

func start(program string) *server {
	folder, err := os.MkdirTemp("", "keelson-controllers-")
	must(err, "folder")
	s := &server{folder: folder}
	s.process = exec.Command(program, "--data-dir="+folder, "--bind-address=127.0.0.1", "--secure-port=0")
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	file, err := os.Create(filepath.Join(folder, "log"))
	must(err, "log file")
	s.process.Stderr = file
	out, err := s.process.StdoutPipe()
	must(err, "pipe")
	must(s.process.Start(), "start")
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "export KUBECONFIG=") {
			break
		}
	}
	s.config, err = clientcmd.BuildConfigFromFlags("", filepath.Join(folder, "admin.kubeconfig"))
	must(err, "kubeconfig")
	s.config.QPS, s.config.Burst = -1, -1
	return s
}

func (s *server) stop() {
	must(s.process.Process.Signal(syscall.SIGTERM), "SIGTERM")
	err := s.process.Wait()
	check(err == nil, "the server ends cleanly: %v", err)
	os.RemoveAll(s.folder)
}

func main() {
	if len(os.Args) != 2 {
		fmt.Println("usage: controllers PROGRAM")
		os.Exit(2)
	}
	log.SetLogger(logr.Discard())
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	s := start(os.Args[1])
	c, err := client.New(s.config, client.Options{})
	must(err, "client")
	writes(ctx, c)
	helpers(ctx, c)
	caches(ctx, s.config, c)
	elections(ctx, s.config)
	counters(ctx, s.config, c)
	s.stop()
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
