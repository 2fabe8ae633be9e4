"""What models see: RGB and LiDAR maps of four channels on one grid."""
