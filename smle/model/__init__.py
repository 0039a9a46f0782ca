"""What a model is: recipe, spectra, networks, gate, mixture, as torch trains them; its folder."""
