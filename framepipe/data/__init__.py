"""Data scenes: frames from arrays on disk (``.npy``, ``.npz``, HDF5, Zarr, NetCDF) by one dimension.

What travels to a worker is a `Slice`: where one frame's part lies. The worker reads that part and
nothing else, and closes the file again, so that a simulation may go on writing it. h5py, zarr and
xarray are imported only when data of theirs is opened.
"""

from framepipe.data.base import DataFrames, Slice
from framepipe.data.opening import is_data_address, is_data_object, open_data

__all__ = ["DataFrames", "Slice", "is_data_address", "is_data_object", "open_data"]
