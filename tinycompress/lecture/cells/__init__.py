"""What cells of the notebooks call: questions before a figure, cells that the reader completes, pictures of the engine."""
