package kms

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/uuid"
)

// Tags by which a caller of CreateKey chooses what AWS chooses itself. LocalStack has made them a convention. Only a
// development server takes them.
const (
	customIDTag       = "_custom_id_"
	customMaterialTag = "_custom_key_material_"
)

// custom is what a caller has chosen; nil stands for what is chosen at random.
type custom struct{ id, material *string }

// createKeyRequest is CreateKeyRequest without the tags of the convention. They are taken out while it is read, so that
// what comes after it never sees key material: neither the constraints, whose messages repeat values, nor the audit
// record, nor the key's tags.
type createKeyRequest struct {
	kmsapi.CreateKeyRequest
	custom custom
	twice  bool // a tag of the convention occurred twice
}

// DecodeJSON reads the request.
func (r *createKeyRequest) DecodeJSON(d *api.Decoder) {
	r.CreateKeyRequest.DecodeJSON(d)
	var kept []kmsapi.Tag
	for _, t := range r.Tags {
		switch {
		case t.TagKey != nil && *t.TagKey == customIDTag:
			r.take(&r.custom.id, t.TagValue)
		case t.TagKey != nil && *t.TagKey == customMaterialTag:
			r.take(&r.custom.material, t.TagValue)
		default:
			kept = append(kept, t)
		}
	}
	if len(kept) < len(r.Tags) {
		r.Tags = kept
	}
}

func (r *createKeyRequest) take(to **string, value *string) {
	r.twice = r.twice || *to != nil
	if value == nil {
		value = new("")
	}
	*to = value
}

// checkCustom refuses what a caller may not choose. A production server says so instead of keeping an ordinary tag: a
// program that relies on the convention would go on with a key that is not the one it means.
func (s *Service) checkCustom(r *createKeyRequest) error {
	switch {
	case r.custom == custom{}:
		return nil
	case !s.custom:
		return kmsapi.TagException("The tags %s and %s are for development servers only.", customIDTag, customMaterialTag)
	case r.twice:
		return kmsapi.TagException("Duplicate tag keys")
	}
	return nil
}

// customize gives a new key the id and the material that were chosen.
func (s *Service) customize(ctx context.Context, k *Key, chosen custom) error {
	if chosen.id != nil {
		if !fitsKeyID(*chosen.id, k.MultiRegion != nil) {
			return at("id", api.ValidationException("%s must be a UUID, or mrk- and 32 hexadecimal digits for a multi-Region key, in lower case.", customIDTag))
		}
		k.ID = *chosen.id
	}
	if chosen.material == nil {
		return nil
	}
	secret, ok := decodeMaterial(*chosen.material)
	defer clear(secret)
	if !ok {
		return at("material", badMaterial(k))
	}
	made, err := s.hsm.Adopt(ctx, k.binding(), secret)
	if errors.Is(err, hsm.ErrMaterial) {
		return at("material", badMaterial(k))
	}
	if err != nil {
		return at("material", unsupported(err))
	}
	k.Materials = []Material{newMaterial(made, k.Created)}
	return nil
}

// fitsKeyID says whether id is one that a key of this kind can have.
func fitsKeyID(id string, multiRegion bool) bool {
	if multiRegion {
		return strings.HasPrefix(id, "mrk-") && isKeyID(id)
	}
	return uuid.Valid(id)
}

func badMaterial(k *Key) error {
	form := "a private key in the form of PKCS #8"
	switch k.Usage {
	case kmsapi.KeyUsageTypeGenerateVerifyMac:
		form = "as many bytes as the hash of the HMAC has, up to 128"
	case kmsapi.KeyUsageTypeEncryptDecrypt:
		if k.symmetric() {
			form = "32 bytes"
		}
	}
	return api.ValidationException("The key material is not what %s needs: base64 of %s.", k.Spec, form)
}

// decodeMaterial reads base64, with line breaks or without, or the PEM form of PKCS #8.
func decodeMaterial(text string) ([]byte, bool) {
	if block, rest := pem.Decode([]byte(text)); block != nil {
		return block.Bytes, block.Type == "PRIVATE KEY" && strings.TrimSpace(string(rest)) == ""
	}
	b, err := base64.StdEncoding.DecodeString(text)
	return b, err == nil && len(b) > 0
}

// checkFree refuses a chosen key id that is taken. Of a key whose waiting period is over nothing is left afterwards.
func (s *Service) checkFree(ctx context.Context, c *service.Call, k *Key) error {
	taken := kmsapi.TagException("The key %s already exists.", k.ARN())
	old, revision, err := s.keys.Get(ctx, k.path())
	if err != nil {
		return err
	}
	if old != nil {
		if _, deleted := old.stateAt(c.Now); !deleted {
			return taken
		}
		if err := s.destroy(ctx, indexed{old, revision, c.Now}); err != nil {
			return err
		}
	}
	if k.MultiRegion == nil {
		return nil
	}
	// Keys of one multi-Region id are relatives, and no two primaries are. A replica is made by ReplicateKey.
	region, err := s.regionOf(ctx, k.Account, k.ID)
	if err != nil || region == "" {
		return err
	}
	return kmsapi.TagException("The multi-Region key %s already exists in %s.", k.ID, region)
}

// regionOf returns a Region in which an account has a key with this id, or "". It reads one record for each Region.
func (s *Service) regionOf(ctx context.Context, account, id string) (string, error) {
	prefix := "kms/key/" + account + "/"
	for after := ""; ; {
		page, err := s.store.Range(ctx, prefix, after, 1)
		if err != nil || len(page.Records) == 0 {
			return "", err
		}
		region, _, _ := strings.Cut(strings.TrimPrefix(page.Records[0].Key, prefix), "/")
		r, err := s.store.Get(ctx, keyPath(account, region, id))
		if err != nil || r.Revision != 0 {
			return region, err
		}
		after = keyPrefix(account, region) + lastID
	}
}

// lastID comes after every key id.
const lastID = "~"

// fieldError is an error about one field of a new key, as a seed names it.
type fieldError struct {
	field string
	err   error
}

func (e *fieldError) Error() string { return e.field + ": " + e.err.Error() }
func (e *fieldError) Unwrap() error { return e.err }

// at says which field an error is about. Callers of the API see the error alone.
func at(field string, err error) error {
	if err == nil {
		return nil
	}
	return &fieldError{field, err}
}
