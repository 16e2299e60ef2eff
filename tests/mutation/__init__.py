"""Whether the tests of the core notice when the core is changed (docs/mutation.md)."""
