// SPDX-License-Identifier: Apache-2.0

// The other side of encryption at rest, made of upstream's own packages.
//
//	encryption plugin SOCKET [KEYID]   a KMS v2 plugin; the key id is changed by a line on standard input
//	encryption transform               requests as JSON lines on standard input, answers on standard output
//
// A request is {"op": "load", "config": PATH} or {"op": "seal"|"open", "config", "group", "resource", "key", "data"}, the
// data in base64; an answer has "error", "data" and "stale".
package main

import (
	"bufio"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/server/options/encryptionconfig"
	"k8s.io/apiserver/pkg/storage/value"
	"k8s.io/kms/pkg/service"
)

// plugin keeps one key for each key id, derived from it: enough for two processes to understand each other.
type plugin struct {
	mu    sync.Mutex
	keyID string
}

const annotation = "encryption.keelson.test"

func seal(keyID string, in []byte) ([]byte, error) {
	aead, err := aeadOf(keyID)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return aead.Seal(nonce, nonce, in, nil), nil
}

func aeadOf(keyID string) (cipher.AEAD, error) {
	key := sha256.Sum256([]byte("of " + keyID))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func (p *plugin) current() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keyID
}

func (p *plugin) Status(context.Context) (*service.StatusResponse, error) {
	return &service.StatusResponse{Version: "v2", Healthz: "ok", KeyID: p.current()}, nil
}

func (p *plugin) Encrypt(_ context.Context, uid string, in []byte) (*service.EncryptResponse, error) {
	id := p.current()
	out, err := seal(id, in)
	return &service.EncryptResponse{Ciphertext: out, KeyID: id,
		Annotations: map[string][]byte{annotation: []byte("noted")}}, err
}

func (p *plugin) Decrypt(_ context.Context, uid string, r *service.DecryptRequest) ([]byte, error) {
	if uid == "" || string(r.Annotations[annotation]) != "noted" {
		return nil, errors.New("the annotation is missing")
	}
	aead, err := aeadOf(r.KeyID)
	if err != nil {
		return nil, err
	}
	if len(r.Ciphertext) < aead.NonceSize() {
		return nil, errors.New("too short")
	}
	return aead.Open(nil, r.Ciphertext[:aead.NonceSize()], r.Ciphertext[aead.NonceSize():], nil)
}

func runPlugin(socket, keyID string) error {
	p := &plugin{keyID: keyID}
	s := service.NewGRPCService(socket, 3*time.Second, p)
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			p.mu.Lock()
			p.keyID = lines.Text()
			p.mu.Unlock()
			fmt.Println(lines.Text())
		}
		s.Shutdown()
		os.Exit(0)
	}()
	fmt.Println(keyID)
	return s.ListenAndServe()
}

type request struct {
	Op, Config, Group, Resource, Key string
	Data                             []byte
}

type answer struct {
	Error string `json:"error"`
	Data  []byte `json:"data"`
	Stale bool   `json:"stale"`
}

type transformers struct {
	byConfig map[string]encryptionconfig.StaticTransformers
}

func (t *transformers) of(r *request) (value.Transformer, error) {
	all, found := t.byConfig[r.Config]
	if !found {
		config, err := encryptionconfig.LoadEncryptionConfig(context.Background(), r.Config, false, "test")
		if err != nil {
			return nil, err
		}
		all = encryptionconfig.StaticTransformers(config.Transformers)
		t.byConfig[r.Config] = all
	}
	return all.TransformerForResource(schema.GroupResource{Group: r.Group, Resource: r.Resource}), nil
}

func (t *transformers) do(r *request) (a answer) {
	transformer, err := t.of(r)
	if err == nil {
		switch r.Op {
		case "load":
		case "seal":
			a.Data, err = transformer.TransformToStorage(context.Background(), r.Data, value.DefaultContext(r.Key))
		case "open":
			a.Data, a.Stale, err = transformer.TransformFromStorage(context.Background(), r.Data,
				value.DefaultContext(r.Key))
		default:
			err = fmt.Errorf("unknown request %q", r.Op)
		}
	}
	if err != nil {
		a.Error = err.Error()
	}
	return a
}

func runTransform() error {
	t := transformers{map[string]encryptionconfig.StaticTransformers{}}
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var r request
		if err := in.Decode(&r); err != nil {
			return nil
		}
		if err := out.Encode(t.do(&r)); err != nil {
			return err
		}
	}
}

func main() {
	err := errors.New("usage: encryption plugin SOCKET [KEYID] | encryption transform")
	switch {
	case len(os.Args) >= 3 && os.Args[1] == "plugin":
		keyID := "key-1"
		if len(os.Args) > 3 {
			keyID = os.Args[3]
		}
		err = runPlugin(os.Args[2], keyID)
	case len(os.Args) == 2 && os.Args[1] == "transform":
		err = runTransform()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
