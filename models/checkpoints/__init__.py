"""Published checkpoint layouts, loaded by their own tensor names.

Read in this order: `presets` (which networks come in which files), `network` (finding and opening
them), `loading` (into memory, once), `lora`, `verify` and `cli`.
"""
