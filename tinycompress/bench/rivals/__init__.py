"""The libraries that compete: what a case needs to give them our nets, in their layouts, on as many threads as ours."""
