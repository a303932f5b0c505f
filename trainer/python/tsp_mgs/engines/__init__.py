"""Programs that run `trainer` on a cluster: `python -m tsp_mgs.engines.ray_data`, `spark` and `reproduce_ray`."""
