"""What has to hold for any input: tables that come back as they went, functions that are pure, parsers that answer."""
