"""What a grid takes on hardware that is not here: its work counted, a device's figures, a model of the two."""
