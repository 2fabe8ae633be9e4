"""fusebench: which way of fusing an RGB image and a LiDAR map to use, and how sure that is."""
