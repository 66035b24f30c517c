"""`tradewind doctor`: what a run of a recipe needs of this machine, looked at before the run is."""
