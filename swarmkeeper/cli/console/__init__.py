"""The operators' console: a page that shows a fleet live, served on this machine with the user's own credentials."""
