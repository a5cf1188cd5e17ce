package sdk

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/trent-kms/trent/test/internal/harness"
)

// TestConcurrentCallers lets many callers at one key at once: each finds its own, and nobody's change is lost.
func TestConcurrentCallers(t *testing.T) {
	const callers, rounds = 32, 8
	s := harness.Start(t, "--dev", "--data-dir", t.TempDir())
	c := newClient(s, through(&http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}))
	key := must(c.CreateKey(t.Context(), &kms.CreateKeyInput{}))(t).KeyMetadata.KeyId
	var winners atomic.Int32
	services := make([]string, callers) // which key each found for alias/aws/rds
	var all sync.WaitGroup
	for n := range callers {
		all.Go(func() {
			name := fmt.Sprint("caller", n)
			for round := range rounds {
				text := []byte(fmt.Sprint(name, " round ", round))
				context := map[string]string{"caller": name}
				e, err := c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: key, Plaintext: text, EncryptionContext: context})
				if err != nil {
					t.Error(err)
					return
				}
				d, err := c.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: e.CiphertextBlob, EncryptionContext: context})
				if err != nil || !bytes.Equal(d.Plaintext, text) {
					t.Errorf("decrypted %q, %v", d.Plaintext, err)
					return
				}
			}
			_, err := c.TagResource(t.Context(), &kms.TagResourceInput{KeyId: key, Tags: []types.Tag{{TagKey: &name, TagValue: &name}}})
			if err != nil {
				t.Error(err)
			}
			_, err = c.CreateAlias(t.Context(), &kms.CreateAliasInput{AliasName: aws.String("alias/contested"), TargetKeyId: key})
			if err == nil {
				winners.Add(1)
			} else if !errors.As(err, new(*types.AlreadyExistsException)) {
				t.Error(err)
			}
			if _, err = c.CreateAlias(t.Context(), &kms.CreateAliasInput{AliasName: aws.String("alias/" + name), TargetKeyId: key}); err != nil {
				t.Error(err)
			}
			// All of them are the first to ask for this key.
			if d, err := c.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String("alias/aws/rds")}); err != nil {
				t.Error(err)
			} else {
				services[n] = *d.KeyMetadata.KeyId
			}
		})
	}
	all.Wait()
	if winners.Load() != 1 {
		t.Errorf("%d callers created the same alias", winners.Load())
	}
	if found := slices.Compact(services); len(found) != 1 || found[0] == "" {
		t.Errorf("the service's key is %q", found)
	}
	tags := must(c.ListResourceTags(t.Context(), &kms.ListResourceTagsInput{KeyId: key}))(t).Tags
	aliases := must(c.ListAliases(t.Context(), &kms.ListAliasesInput{KeyId: key}))(t).Aliases
	keys := must(c.ListKeys(t.Context(), &kms.ListKeysInput{}))(t).Keys
	if len(tags) != callers || len(aliases) != callers+1 || len(keys) != 2 {
		t.Errorf("%d tags, %d aliases, %d keys", len(tags), len(aliases), len(keys))
	}
}
