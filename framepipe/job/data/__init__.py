"""Frames from arrays on disk (``.npy``, ``.npz``, HDF5, Zarr, NetCDF) by one dimension.

A worker receives a `Slice`: the address of one frame's part. It reads that part and nothing else,
and closes the file again, so that a simulation may go on writing it. h5py, zarr and xarray are
imported only when their data is opened.
"""

from framepipe.job.data.base import DataFrames, Slice
from framepipe.job.data.opening import is_data_address, is_data_object, open_data

__all__ = ["DataFrames", "Slice", "is_data_address", "is_data_object", "open_data"]
