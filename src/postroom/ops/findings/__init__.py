"""What `doctor` looks at, one function a thing; each answers with a Finding in words."""
