"""Images on their way in: sources named, archives unpacked safely, every file looked at once, the manifest written."""
