"""What each transformer of the family is conditioned on, as named tensors.

`family` says what an exporter needs to know; one module for each architecture answers it.
"""
