"""The shell around the news: what is fetched, read in worker processes, and written down."""
