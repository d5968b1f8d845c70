def content_hash(x): return repr(x)
def code_hash(x): return ""
