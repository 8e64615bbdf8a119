"""Write the files and notebooks that students get."""
