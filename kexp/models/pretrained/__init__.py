"""Networks with weights that were learned from other data, to go on from: `kexp.models.pretrained`."""
