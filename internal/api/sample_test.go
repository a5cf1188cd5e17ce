package api_test

import (
	"fmt"
	"reflect"
	"time"

	"github.com/trent-kms/trent/internal/api"
	iamapi "github.com/trent-kms/trent/internal/api/iam"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	organizationsapi "github.com/trent-kms/trent/internal/api/organizations"
	stsapi "github.com/trent-kms/trent/internal/api/sts"
	trentapi "github.com/trent-kms/trent/internal/api/trent"
)

// queryOperations are those of the services that speak the Query protocol.
func queryOperations() []api.OperationInfo {
	return append(iamapi.Operations(), stsapi.Operations()...)
}

func allOperations() []api.OperationInfo {
	all := append(queryOperations(), kmsapi.Operations()...)
	return append(append(all, organizationsapi.Operations()...), trentapi.Operations()...)
}

// sample fills every member of the structure that x points to with a value of its own, and returns x.
func sample[T any](x T) T {
	new(sampler).fill(reflect.ValueOf(x).Elem())
	return x
}

type sampler struct {
	n     int // values so far
	lists int // that the next value is in
}

func (s *sampler) fill(v reflect.Value) {
	s.n++
	switch v.Type() {
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(1_700_000_000+int64(s.n)*3601, 0).UTC()))
		return
	case reflect.TypeFor[[]byte]():
		v.SetBytes([]byte{byte(s.n), 0xff})
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			s.fill(v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		s.fill(v.Elem())
	case reflect.Slice:
		n := 12 // the tenth comes after the second, whatever their names say
		if s.lists > 0 {
			n = 2
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		s.lists++
		for i := range n {
			s.fill(v.Index(i))
		}
		s.lists--
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for _, format := range []string{"Key %d", "key %d", "&=%d"} {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			key.SetString(fmt.Sprintf(format, s.n))
			s.fill(value)
			v.SetMapIndex(key, value)
		}
	case reflect.String:
		v.SetString(fmt.Sprintf("<%d> é&=+%%2F \"😀\n", s.n))
	case reflect.Bool:
		v.SetBool(s.n%2 == 0)
	case reflect.Int32:
		v.SetInt(int64(s.n) - 3)
	default:
		panic(v.Type().String())
	}
}
