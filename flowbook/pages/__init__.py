"""The pages that flowbook's server shows to people: runs, one run's panel, the cache, deployments, one decision by a link."""
