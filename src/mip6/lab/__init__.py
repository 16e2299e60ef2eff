"""The figure "Mobile IP" out of network namespaces, driven through `mip6` itself."""
