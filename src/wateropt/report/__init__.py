"""CSV, NetCDF and model files: everything here only reads a `Result` or a case."""
