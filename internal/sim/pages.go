package sim

import "net/http"

func (s *Sim) pages(mux *http.ServeMux) {}
