def carrier_of(options): raise NotImplementedError
