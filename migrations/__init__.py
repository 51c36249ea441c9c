"""The schema's history; a package only so that it is installed with the service."""
