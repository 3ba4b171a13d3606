package main

import "context"

func benchMemory(context.Context, benchOptions) ([]figure, error) { return nil, nil }
func benchSize(context.Context, benchOptions) ([]figure, error)   { return nil, nil }
func benchStart(context.Context, benchOptions) ([]figure, error)  { return nil, nil }
