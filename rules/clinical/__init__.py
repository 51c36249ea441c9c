"""Clinical knowledge that is no protocol's own: dictionaries as data, and what reads them. Pure."""
