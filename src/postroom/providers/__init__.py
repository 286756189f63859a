"""The only code that knows a provider. `base` is the interface, `registry` the list, `errors` the tree."""
