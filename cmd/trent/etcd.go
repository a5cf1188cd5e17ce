package main

import (
	"context"
	"errors"

	"github.com/trent-kms/trent/internal/store"
)

func openEtcd(context.Context, string) (store.Store, error) { return nil, errors.New("todo") }
