"""Conformance runner: golden cases of the published networks against ours."""
