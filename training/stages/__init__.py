"""The stages that make the studio model, each one resumable command: `parley train NAME`."""
