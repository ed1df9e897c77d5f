package app

import (
	"net/http"
	"strings"

	"golang.org/x/time/rate"
)

// writeBuckets makes the profile's limits on writes to users, one for each kind of
// write.
func writeBuckets(p Profile) map[string]*rate.Limiter {
	if p.UserWritesPerMinute <= 0 {
		return nil
	}
	limit, burst := rate.Limit(float64(p.UserWritesPerMinute)/60), max(1, p.UserWriteBurst)
	change := rate.NewLimiter(limit, burst)
	return map[string]*rate.Limiter{
		http.MethodPost: rate.NewLimiter(limit, burst), http.MethodPut: change,
		http.MethodPatch: change, http.MethodDelete: rate.NewLimiter(limit, burst),
	}
}

// manners lays the profile's habits that concern HTTP over the SCIM endpoints.
func (a *App) manners(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.profile.RequireUserAgent && r.UserAgent() == "" {
			writeError(w, http.StatusForbidden, "requests need a User-Agent header", 0)
			return
		}
		limiter := a.buckets[r.Method]
		if limiter != nil && strings.HasPrefix(r.URL.Path, Prefix+"/Users") && overRate(w, limiter, a.now()) {
			return
		}
		next.ServeHTTP(w, r)
	})
}
