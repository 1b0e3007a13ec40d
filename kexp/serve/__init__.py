"""Serving: exported models over HTTP, in the REST form of TensorFlow Serving, and a page to try them."""
