"""What the sliders of the notebooks move: per chapter, functions of a net and of plain values that draw one Figure."""
