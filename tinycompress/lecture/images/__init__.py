"""Test images as the sample that they are: shares of them, and how far an effect would move on others; and images in rows."""
