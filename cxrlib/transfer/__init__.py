"""ResNets transferred from ImageNet: training, features, the way to a record."""
