"""The morning paper: feeds, articles and issues. Pure: no rows, no network, no clock."""
