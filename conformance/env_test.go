package conformance_test

import "os"

func env(name string) string { return os.Getenv(name) }
